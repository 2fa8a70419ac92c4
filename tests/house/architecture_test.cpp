// Keeps the house: folders include each other one way only, third-party headers stay in the files
// that own them, files and lines stay short. The checks run over a map of path -> text, so that
// made-up trees prove that they fail where they should.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Tree = std::map<std::string, std::string>;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"stream", {}},
    {"trainer", {"stream"}},
    {"evaluator", {"stream", "trainer"}},
    {"registry", {"stream"}},
    {"orchestrator", {"stream", "trainer", "evaluator", "registry"}},
    {"web", {"stream", "registry", "orchestrator"}},
};

// Third-party header prefix -> the files (by prefix) that own it.
const std::vector<std::pair<std::string, std::vector<std::string>>> kOwners = {
    {"torch/", {"trainer/torch_"}},
    {"ATen/", {"trainer/torch_"}},
    {"SQLiteCpp/", {"stream/sqlite."}},
    {"sqlite3.h", {"stream/sqlite.", "stream/library_versions."}},
    {"simdjson", {"stream/jsonl_source.", "stream/library_versions."}},
    {"zlib.h", {"stream/byte_input.", "stream/library_versions."}},
    {"openssl/", {"stream/", "web/connection."}},
    {"xxhash.h", {"stream/checksum.", "stream/library_versions."}},
    {"hwy/", {"trainer/scorer.", "trainer/model."}},
    {"nlohmann/",
     {"stream/feature_set.", "stream/letter_search.", "trainer/artifact.", "orchestrator/",
      "web/"}},
    {"CLI/",
     {"orchestrator/cli", "orchestrator/version.", "orchestrator/command_support.", "web/cli_"}},
    {"spdlog/", {"orchestrator/", "web/log."}},
    {"dlfcn.h", {"trainer/load_torch.", "trainer/blas."}},
    {"httplib", {"web/server.", "web/client."}},
    {"prometheus/", {"web/metrics."}},
    {"librdkafka",
     {"stream/kafka_client.", "stream/kafka_message.", "stream/kafka_settings.",
      "stream/kafka_sink.", "stream/library_versions."}},
};

bool starts_with_any(const std::string& text, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return text.starts_with(prefix); });
}

void check_include(const std::string& path, const std::string& header,
                   std::vector<std::string>& faults) {
  const std::string folder = path.substr(0, path.find('/'));
  const std::string target = header.substr(0, header.find('/'));
  if (kMayInclude.contains(target) && target != folder &&
      !kMayInclude.at(folder).contains(target)) {
    faults.push_back(path + " includes " + header + " against the one-way order");
  }
  for (const auto& [prefix, owners] : kOwners) {
    if (header.starts_with(prefix) && !starts_with_any(path, owners)) {
      faults.push_back(path + " includes " + header + ", which it does not own");
    }
  }
}

std::vector<std::string> faults_of(const Tree& tree) {
  static const std::regex include(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::vector<std::string> faults;
  for (const auto& [path, text] : tree) {
    std::istringstream in(text);
    std::string line;
    std::size_t lines = 0;
    std::smatch match;
    while (std::getline(in, line)) {
      ++lines;
      if (std::regex_search(line, match, include)) check_include(path, match[1], faults);
      if (line.size() > 100)
        faults.push_back(path + ": line " + std::to_string(lines) + " is long");
    }
    if (lines > 400) faults.push_back(path + " has over 400 lines");
  }
  return faults;
}

Tree read_tree() {
  Tree tree;
  const std::filesystem::path root = FRESHET_SOURCE;
  for (const auto& [folder, allowed] : kMayInclude) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      std::ifstream in(entry.path());
      std::ostringstream text;
      text << in.rdbuf();
      tree[folder + "/" + entry.path().filename().string()] = text.str();
    }
  }
  return tree;
}

TEST(Architecture, FoldersAndThirdPartyHeadersKeepTheHouse) {
  const Tree tree = read_tree();
  ASSERT_GT(tree.size(), 50U);
  EXPECT_THAT(faults_of(tree), IsEmpty());
}

TEST(Architecture, AnIncludeAgainstTheOrderIsAFault) {
  const Tree tree = {{"stream/a.h", "#include \"trainer/model.h\"\n"}};
  ASSERT_EQ(faults_of(tree).size(), 1U);
  EXPECT_THAT(faults_of(tree).front(), HasSubstr("one-way order"));
}

TEST(Architecture, ACycleOfFoldersIsAFault) {
  const Tree tree = {{"registry/a.h", "#include \"evaluator/metrics.h\"\n"},
                     {"evaluator/b.h", "#include \"registry/registry.h\"\n"}};
  EXPECT_EQ(faults_of(tree).size(), 2U);
}

TEST(Architecture, AThirdPartyHeaderOutsideItsOwnerIsAFault) {
  const Tree tree = {{"orchestrator/a.cpp", "#include <torch/torch.h>\n"},
                     {"evaluator/b.cpp", "#include <SQLiteCpp/SQLiteCpp.h>\n"}};
  EXPECT_EQ(faults_of(tree).size(), 2U);
}

TEST(Architecture, LongFilesAndLinesAreFaults) {
  std::string text;
  for (int i = 0; i < 401; ++i) text += "\n";
  const Tree tree = {{"stream/long.cpp", text}, {"stream/wide.h", std::string(101, 'x') + "\n"}};
  EXPECT_EQ(faults_of(tree).size(), 2U);
}

}  // namespace
