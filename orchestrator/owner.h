#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "orchestrator/erasure_json.h"
#include "registry/registry.h"

namespace freshet {

/// The process that owns a workspace and serves it: commands of the command line go to it. What it
/// refuses is thrown as Error with its words; Error{unavailable} if it can't be reached. Used by
/// one thread.
class Owner {
 public:
  virtual ~Owner() = default;

  /// Carries out an operator's command of `record.kind` with `arguments` and `reason`; gives its
  /// decisions.
  virtual std::vector<Decision> command(const std::string& pipeline,
                                        const CommandRecord& record) = 0;
  /// Puts another config (JSON) in force; gives its decisions.
  virtual std::vector<Decision> apply(const std::string& pipeline, const std::string& config,
                                      const std::string& reason) = 0;
  /// Erases a person's data, as OpenPipeline::erase.
  virtual Erased erase(const std::string& pipeline, const EraseRequest& request) = 0;
  /// Appends JSON lines, durable on return. Waits while there is no room.
  virtual void append(const std::string& pipeline, const std::string& lines) = 0;
  /// The champion's answers to events (JSON objects, each on one line), in their order; see
  /// `answer_json`, with "recorded" beside it where `durable`.
  virtual std::vector<nlohmann::json> predict(const std::string& pipeline,
                                              const std::vector<std::string>& events, bool record,
                                              bool durable) = 0;
};

/// Where an owner is asked for, and how.
struct OwnerAddress {
  std::string workspace;
  std::string certificate;  ///< PEM file of whom to trust beside the system's; empty: nobody
};

/// Finds the owner of a workspace; nullptr if nobody serves it.
using FindOwner = std::function<std::unique_ptr<Owner>(const OwnerAddress& address)>;

}  // namespace freshet
