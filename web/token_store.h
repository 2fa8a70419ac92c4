#pragma once

#include <optional>
#include <string>
#include <vector>

#include "web/access.h"

namespace freshet {

/// The tokens of a workspace, on disk: `token` holds the first one as it is (mode 0600: whoever
/// may read it may operate), `tokens.json` all others by hash. Used by one thread; changes are
/// whole files, so that another process may look at any time. Throws Error{unavailable} when the
/// disk refuses, Error{corrupt} for a tokens.json that is none.
class TokenStore {
 public:
  explicit TokenStore(std::string workspace) : folder_(std::move(workspace)) {}

  /// The first token; made at random where it is missing and `make` says so. nullopt: none.
  std::optional<std::string> first(bool make);

  /// Adds a token, which is shown here and never again. Error{conflict} for a name that is taken,
  /// Error{invalid} for one that isn't 1 to 64 letters, digits, '.', '_' or '-'.
  std::string add(const std::string& name, Role role);
  /// Error{not_found} naming those there are.
  void revoke(const std::string& name);
  /// By hash; the first one, if it is there, is named "first".
  std::vector<Tokens::Token> list() const;

  /// Tells whether the files changed since the last call (or ever).
  bool changed();

 private:
  class Lock;

  std::vector<Tokens::Token> named() const;
  void write_named(const std::vector<Tokens::Token>& tokens) const;

  const std::string folder_;
  std::string seen_;
};

const char* role_name(Role role);
/// nullopt unless it is "view" or "operate".
std::optional<Role> role_named(const std::string& name);

}  // namespace freshet
