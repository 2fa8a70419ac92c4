// Bytes that change on the disk. Each is found before what it stands in is used, or changes
// nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "faults/fault_test.h"
#include "registry/artifact_store.h"
#include "scenario/service.h"
#include "stream/error.h"
#include "stream/event_log.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;

std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void put_bytes(const std::string& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Changes one byte of a file as long as it lives.
class Flip {
 public:
  Flip(std::string file, std::uint64_t at, KeyedGenerator& draw)
      : file_(std::move(file)), at_(at), mask_(static_cast<char>(1 + draw.below(255))) {
    turn();
  }
  ~Flip() { turn(); }
  Flip(const Flip&) = delete;
  Flip& operator=(const Flip&) = delete;

 private:
  void turn() const {
    std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at_));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at_));
    file.put(static_cast<char>(byte ^ mask_));
  }

  std::string file_;
  std::uint64_t at_;
  char mask_;
};

class Damage : public FaultTest {
 protected:
  /// Whether the store refuses an artifact as damaged.
  static bool refused(const ArtifactStore& store, const std::string& sha256) {
    try {
      store.get(sha256);
      return false;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(sha256));
      return error.kind() == ErrorKind::corrupt;
    }
  }
};

TEST_F(Damage, OfAnyByteOfAnArtifactIsFound) {
  const std::string folder = copied(reference(), "w") + "/artifacts";
  const ArtifactStore store = ArtifactStore::open(folder, true);
  const std::vector<std::string> artifacts = store.list();
  ASSERT_GT(artifacts.size(), 2U);
  KeyedGenerator draw(fault_seed(), 11);
  Tally tally("artifact: a byte changed, or cut");
  const auto flip = [&](const std::string& sha256, std::uint64_t at) {
    const Flip flipped(folder + "/" + sha256, at, draw);
    tally.add(refused(store, sha256), fmt::format("byte {} of {}", at, sha256));
  };
  for (const std::string& sha256 : artifacts) {
    const std::string bytes = bytes_of(folder + "/" + sha256);
    std::uint64_t header = 0;  // safetensors: its length comes first
    std::memcpy(&header, bytes.data(), sizeof header);
    for (std::uint64_t at = 0; at < sizeof header + header; at += tries(61, 1)) {
      if (is_long() || at % 61 == 0) flip(sha256, at);
    }
    for (std::size_t i = 0; i < tries(20, 1000); ++i) flip(sha256, draw.below(bytes.size()));
    for (std::size_t size = 0; size < bytes.size(); size += 4096) {
      put_bytes(folder + "/" + sha256, bytes.substr(0, size));
      tally.add(refused(store, sha256), fmt::format("{} cut at {}", sha256, size));
    }
    put_bytes(folder + "/" + sha256, bytes);
    EXPECT_EQ(store.get(sha256), bytes);
  }
}

TEST_F(Damage, OfTheChampionBringsBackTheOneBefore) {
  Tally tally("champion's artifact damaged, served");
  KeyedGenerator draw(fault_seed(), 12);
  const auto champion = freshet_program(arguments("reference")).json().at("champion");
  ASSERT_TRUE(fs::exists(reference()));
  const std::string sha256 = champion.at("sha256");
  for (std::size_t i = 0; i < tries(2, 20); ++i) {
    const std::string workspace = copied(reference(), "w");
    const std::string file = workspace + "/artifacts/" + sha256;
    const std::string bytes = bytes_of(file);
    if (i % 2 == 0) {
      put_bytes(file, bytes.substr(0, draw.below(bytes.size())));
    } else {
      std::string changed = bytes;
      changed[draw.below(bytes.size())] ^= static_cast<char>(1 + draw.below(255));
      put_bytes(file, changed);
    }
    const Outcome verify = freshet_program("registry verify -w " + workspace);
    EXPECT_EQ(verify.code, 3);
    EXPECT_THAT(verify.out, HasSubstr(sha256));
    ServedProgram served("-w " + workspace);
    const Reply reply =
        served.post(kPipeline + "/predict", R"({"record": false, "event": )" + events()[0] + "}");
    const bool answers =
        reply.status == 200 && reply.json().at("revision") != champion.at("revision");
    served.stop();
    const Outcome history = freshet_program("registry history --json -w " + workspace);
    tally.add(answers && history.out.find("quarantined") != std::string::npos,
              reply.body + history.out);
  }
}

/// What a log says of itself; how it was damaged, in its own words, where it finds that.
struct Told {
  std::string damage;
  std::string content;
  IngestCounts counts;
  std::vector<SourceProgress> progress;
};

Told told(const std::string& file) {
  Told all;
  try {
    const auto log = EventLog::open_reader(file);
    const std::vector<std::string> damage = log->verify();
    if (!damage.empty()) all.damage = damage.front();
    all.content = log->content_hash();
    all.counts = log->counts();
    all.progress = log->all_progress();
  } catch (const Error& error) {
    all.damage = error.what();
  }
  return all;
}

TEST_F(Damage, OfALogIsFoundOrHarmless) {
  Tally tally("log: a byte changed");
  KeyedGenerator draw(fault_seed(), 13);
  const std::string file = copied(reference(), "w") + "/pipelines/turning/log.db";
  const Told whole = told(file);
  ASSERT_EQ(whole.damage, "");
  std::size_t harmless = 0;
  for (std::size_t i = 0; i < tries(150, 5000); ++i) {
    // The first pages hold what the whole file depends on.
    const std::uint64_t at = draw.below(i % 4 == 0 ? 4 * 16384 : fs::file_size(file));
    const Flip flipped(file, at, draw);
    const Told found = told(file);
    harmless += found.damage.empty() ? 1 : 0;
    EXPECT_THAT(found.damage, AnyOf("", HasSubstr(file)));
    tally.add(
        !found.damage.empty() || (found.content == whole.content && found.counts == whole.counts &&
                                  found.progress == whole.progress),
        fmt::format("byte {} changes what the log says, and nobody notices", at));
  }
  tally.note(fmt::format("{} harmless", harmless));
}

TEST_F(Damage, OfALogOrRowsIsNamedByTheProgramOrHarmless) {
  Tally tally("log and rows: a byte changed, verify");
  KeyedGenerator draw(fault_seed(), 14);
  const std::string workspace = copied(reference(), "w");
  const std::string whole = fingerprint_of(workspace).dump();
  for (std::size_t i = 0; i < tries(10, 300); ++i) {
    const std::string name = i % 2 == 0 ? "log.db" : "rows.db";
    const std::string file = workspace + "/pipelines/turning/" + name;
    const std::uint64_t at = draw.below(fs::file_size(file));
    const Flip flipped(file, at, draw);
    const Outcome verify = freshet_program("registry verify -w " + workspace);
    const std::string said = fmt::format("byte {} of {}: {}", at, name, verify.out + verify.err);
    if (verify.code == 0) {
      tally.add(fingerprint_of(workspace).dump() == whole, said);
    } else {
      tally.add(verify.code == 3 || verify.code == 1, said);
    }
  }
}

TEST_F(Damage, ADamagedBatchOfTheLogStopsWhatReadsIt) {
  const std::string workspace = copied(reference(), "w");
  const std::string file = workspace + "/pipelines/turning/log.db";
  const std::size_t at = bytes_of(file).find("e17");  // an event's id
  ASSERT_NE(at, std::string::npos);
  KeyedGenerator draw(fault_seed(), 15);
  const Flip flipped(file, at, draw);
  const Outcome verify = freshet_program("registry verify -w " + workspace);
  EXPECT_EQ(verify.code, 3) << verify.out;
  EXPECT_THAT(verify.out, HasSubstr("[0, "));
  const Outcome copy =
      freshet_program("run " + config() + " -w " + path("copy") + " --from-log " + workspace);
  EXPECT_EQ(copy.code, 1);
  EXPECT_THAT(copy.err, HasSubstr("[0, "));
}

}  // namespace
}  // namespace freshet
