#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// A request target, split first and percent-decoded then, so that an encoded "/" stays in its
/// segment.
struct Target {
  std::string path;                   ///< as sent, without the query
  std::vector<std::string> segments;  ///< of "/a/b": {"a", "b"}; of "/": {}; of "/a/": {"a", ""}
  std::multimap<std::string, std::string> query;
};

/// nullopt where an escape is no %XX, or the decoded text is not UTF-8 or has control characters.
std::optional<Target> parse_target(std::string_view target);

}  // namespace freshet
