#include "stream/letter_search.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace freshet {
namespace {

Schema probe_of(const Schema& schema, const ErasureKey& key) {
  Schema probe;
  probe.id_field = schema.id_field;
  probe.time.form = TimeEvery{};
  probe.time.utc_offset = schema.time.utc_offset;
  if (key.field) {
    probe.fields.push_back(schema.fields[*key.field]);
    probe.fields.front().missing = MissingRule::mean;
  }
  return probe;
}

/// The text as a copied record or a message may hold it.
std::vector<std::string> spellings(const std::string& text) {
  std::vector<std::string> all{text};
  for (const bool ascii : {false, true}) {
    const std::string json =
        nlohmann::json(text).dump(-1, ' ', ascii, nlohmann::json::error_handler_t::replace);
    all.push_back(json.substr(1, json.size() - 2));
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

bool in_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool has_word(std::string_view in, std::string_view word) {
  for (auto at = in.find(word); at != std::string_view::npos; at = in.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !in_word(in[at - 1]) || !in_word(word.front());
    const bool ends = end == in.size() || !in_word(in[end]) || !in_word(word.back());
    if (begins && ends) return true;
  }
  return false;
}

}  // namespace

LetterSearch::LetterSearch(const Schema& schema, const ErasureKey& key, PersonIds& ids)
    : probe_(probe_of(schema, key)),
      key_(key),
      has_ids_(!schema.id_field.empty()),
      ids_(ids),
      decoder_(probe_, false) {
  if (key.is_text && (key.field || has_ids_)) words_ = spellings(key.text);
  if (key_.field) key_.field = 0;  // of the probe
}

bool LetterSearch::bears_key(const DeadLetter& letter) {
  if (!decoder_.decode(letter.raw, event_)) {
    const bool is_theirs = (key_.field || has_ids_) && key_.matches(event_);
    if (is_theirs && has_ids_) ids_.emplace(event_.id);
    return is_theirs;
  }
  return std::any_of(words_.begin(), words_.end(), [&](const std::string& word) {
    return has_word(letter.raw, word) || has_word(letter.reason, word);
  });
}

bool LetterSearch::bears_id(const DeadLetter& letter) {
  if (!has_ids_) return false;
  if (!decoder_.decode(letter.raw, event_)) return ids_.find(event_.id) != ids_.end();
  return holds_id(letter.raw) || holds_id(letter.reason);
}

// Ids and letters may both be many: most ids are looked up, not searched for.
bool LetterSearch::holds_id(std::string_view text) const {
  constexpr std::string_view kBetween = " \t\r\n,;|\"'`{}[]():";
  for (std::size_t at = 0; (at = text.find_first_not_of(kBetween, at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    if (ids_.find(text.substr(at, end - at)) != ids_.end()) return true;
    at = end;
  }
  return std::any_of(ids_.begin(), ids_.end(), [&](const std::string& id) {
    return id.find_first_of(kBetween) != std::string::npos && has_word(text, id);
  });
}

}  // namespace freshet
