#include "web/token_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include <nlohmann/json.hpp>

#include "stream/error.h"
#include "stream/whole_file.h"

namespace freshet {

using nlohmann::json;

namespace {

constexpr int kFormat = 2;  // 1 was the array alone
constexpr const char* kFirst = "first";
constexpr std::size_t kMostBytes = 1 << 20;
constexpr mode_t kOnlyMine = 0600;

Error refused(const std::string& path, const char* what) {
  return {ErrorKind::unavailable,
          fmt::format("{}: cannot be {}: {}", path, what, std::system_category().message(errno))};
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    if (errno == ENOENT) return std::nullopt;
    throw refused(path, "read");
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw Error(ErrorKind::corrupt, path + ": is no regular file");
  }
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (text.size() > kMostBytes) {
    throw Error(ErrorKind::corrupt, path + ": is longer than 1 MiB, which no token file is");
  }
  return text;
}

}  // namespace

const char* role_name(Role role) { return role == Role::operate ? "operate" : "view"; }

std::optional<Role> role_named(const std::string& name) {
  if (name == "view") return Role::view;
  if (name == "operate") return Role::operate;
  return std::nullopt;
}

std::optional<std::string> TokenStore::first(bool make) {
  const std::string path = folder_ + "/token";
  if (auto text = read_file(path)) {
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    if (text->size() >= 16) return text;
    if (!make) return std::nullopt;
    throw Error(ErrorKind::corrupt,
                path + ": holds no token of at least 16 characters; delete it to get a new one");
  }
  if (!make) return std::nullopt;
  const std::string token = Tokens::make();
  write_whole_file(path, token + "\n", kOnlyMine);
  return token;
}

std::vector<Tokens::Token> TokenStore::named() const {
  const std::string path = folder_ + "/tokens.json";
  std::vector<Tokens::Token> tokens;
  const auto text = read_file(path);
  if (!text) return tokens;
  const json store = json::parse(*text, nullptr, false);
  const auto wrong = [&] {
    return Error(ErrorKind::corrupt,
                 path +
                     ": expected {\"format\": 2, \"tokens\": [{name, role, sha256}, …]}; "
                     "delete it to begin anew");
  };
  const json format = store.is_array()    ? json(1)
                      : store.is_object() ? store.value("format", json())
                                          : json();
  if (format.is_number_integer() && format != 1 && format != kFormat) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{}: the tokens have format {}, this build reads formats 1 and {}; use "
                            "the build that wrote them",
                            path, format.dump(), kFormat));
  }
  const json list = store.is_object() ? store.value("tokens", json()) : store;
  if (!list.is_array() || !format.is_number_integer()) throw wrong();
  for (const json& entry : list) {
    if (!entry.is_object()) throw wrong();
    const auto text_of = [&](const char* key) {
      const auto at = entry.find(key);
      return at != entry.end() && at->is_string() ? at->get<std::string>() : std::string();
    };
    const auto role = role_named(text_of("role"));
    Tokens::Token token{text_of("name"), role.value_or(Role::none), text_of("sha256")};
    if (!role || token.name.empty() || token.hash.size() != 64) throw wrong();
    tokens.push_back(std::move(token));
  }
  return tokens;
}

void TokenStore::write_named(const std::vector<Tokens::Token>& tokens) const {
  json list = json::array();
  for (const Tokens::Token& token : tokens) {
    list.push_back({{"name", token.name}, {"role", role_name(token.role)}, {"sha256", token.hash}});
  }
  const json store{{"format", kFormat}, {"tokens", std::move(list)}};
  write_whole_file(folder_ + "/tokens.json", store.dump(2) + "\n", kOnlyMine);
}

// One process changes the tokens at a time.
class TokenStore::Lock {
 public:
  explicit Lock(const std::string& folder)
      : file_(::open((folder + "/tokens.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (file_ < 0 || ::flock(file_, LOCK_EX) != 0) throw refused(folder + "/tokens.lock", "locked");
  }
  ~Lock() { ::close(file_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

std::string TokenStore::add(const std::string& name, Role role) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (name.empty() || name.size() > 64 || name.find_first_not_of(kAllowed) != std::string::npos) {
    throw Error(ErrorKind::invalid, "a token's name is 1 to 64 letters, digits, '.', '_' or '-'");
  }
  const Lock lock(folder_);
  std::vector<Tokens::Token> tokens = named();
  const bool taken = std::any_of(tokens.begin(), tokens.end(),
                                 [&](const Tokens::Token& token) { return token.name == name; });
  if (taken || name == kFirst) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("there is a token \"{}\" already: revoke it, or choose another name", name));
  }
  const std::string secret = Tokens::make();
  tokens.push_back({name, role, Tokens::hash_of(secret)});
  write_named(tokens);
  return secret;
}

void TokenStore::revoke(const std::string& name) {
  const Lock lock(folder_);
  std::vector<Tokens::Token> tokens = named();
  std::string names;
  for (const Tokens::Token& token : tokens) names += (names.empty() ? "" : ", ") + token.name;
  if (name == kFirst) {
    throw Error(ErrorKind::invalid,
                folder_ +
                    "/token holds the first token: delete that file, and the next start "
                    "makes another");
  }
  if (std::erase_if(tokens, [&](const Tokens::Token& token) { return token.name == name; }) == 0) {
    throw Error(ErrorKind::not_found, fmt::format("there is no token \"{}\"; there {}", name,
                                                  names.empty() ? "are none" : "are " + names));
  }
  write_named(tokens);
}

std::vector<Tokens::Token> TokenStore::list() const {
  std::vector<Tokens::Token> tokens = named();
  if (const auto secret = TokenStore(folder_).first(false)) {
    tokens.insert(tokens.begin(), {kFirst, Role::operate, Tokens::hash_of(*secret)});
  }
  return tokens;
}

bool TokenStore::changed() {
  std::string now;
  for (const char* name : {"/token", "/tokens.json"}) {
    struct stat info {};
    if (::stat((folder_ + name).c_str(), &info) != 0) info = {};
    now += fmt::format("{}.{}.{}.{};", info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                       info.st_size);
  }
  if (now == seen_) return false;
  seen_ = now;
  return true;
}

}  // namespace freshet
