#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stream/event_decoder.h"
#include "stream/record_decoder.h"

namespace freshet {

/// JSON lines: one JSON object a line. Keys are taken by name, others are passed over (any value);
/// null is a missing value. A key that stands twice makes the record bad.
class JsonlDecoder : public RecordDecoder {
 public:
  JsonlDecoder(const Schema& schema, bool labels_only);
  ~JsonlDecoder() override;

  Framing framing() const override { return Framing::lines; }
  /// The record is copied: it may lie anywhere and go at once.
  std::optional<std::string> decode(std::string_view record, Event& event) override;

  /// The fields asked for that stand beside a record's JSON: those whose names begin with '$'.
  std::vector<std::string> envelope_fields() const;
  /// As `decode`, with a text for each of the `envelope_fields`, in their order; an empty one is
  /// missing. `event` views them too.
  std::optional<std::string> decode(std::string_view record,
                                    std::span<const std::string_view> envelope, Event& event);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
