#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "stream/erasure.h"
#include "stream/event_log.h"
#include "stream/jsonl_source.h"
#include "stream/schema.h"

namespace freshet {

/// Ids of a person's events.
using PersonIds = std::set<std::string, std::less<>>;

/// Tells whether a record that was refused or late is a person's. What decodes (a JSON object with
/// the id and the key's field) is compared as an event is; in what doesn't (a line of CSV, half a
/// record) an id, or a key that is a text, is looked for as a word: 7 is not in 17. Used by one
/// thread.
class LetterSearch {
 public:
  /// `ids` must outlive it.
  LetterSearch(const Schema& schema, const ErasureKey& key, PersonIds& ids);

  /// Adds the letter's id, where it has one, to the ids.
  bool bears_key(const DeadLetter& letter);
  /// Bears one of the ids.
  bool bears_id(const DeadLetter& letter);

 private:
  bool holds_id(std::string_view text) const;

  const Schema probe_;  ///< of the key's field and the id alone
  ErasureKey key_;
  const bool has_ids_;              ///< records bear their ids
  std::vector<std::string> words_;  ///< the key, as a record may hold it; none for a number
  PersonIds& ids_;
  JsonlDecoder decoder_;
  Event event_;
};

}  // namespace freshet
