#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stream/csv_cells.h"
#include "stream/event_decoder.h"
#include "stream/record_decoder.h"

namespace freshet {

/// Comma-separated values (RFC 4180): a header line, then one record a line; cells in double
/// quotes may hold commas, line ends and doubled quotes. Columns are taken by name, others are
/// passed over. An empty cell, quoted or not, is a missing value. Numbers, booleans and times may
/// have spaces around them.
class CsvDecoder : public RecordDecoder {
 public:
  /// `input_name` is for messages about the header.
  CsvDecoder(const Schema& schema, bool labels_only, std::string input_name);

  Framing framing() const override { return Framing::csv; }
  bool has_header() const override { return true; }
  void read_header(std::string_view header) override;
  std::optional<std::string> decode(std::string_view record, Event& event) override;

 private:
  [[noreturn]] void refuse_header(const std::string& missing) const;

  EventDecoder decoder_;
  std::string input_name_;
  std::vector<std::string> header_;
  std::vector<std::size_t> places_;  ///< of the decoder's columns; npos: not in the header
  CsvCells split_;
  std::vector<Cell> cells_;
};

}  // namespace freshet
