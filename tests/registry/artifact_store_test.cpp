#include "registry/artifact_store.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "stream/sha256.h"
#include "tests/registry/test_folder.h"

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ArtifactStoreTest : public FolderTest {
 protected:
  std::size_t files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path("a"))) {
      ++count;
    }
    return count;
  }

  ArtifactStore store_ = ArtifactStore::open(path("a"));
};

/// Files larger than this are refused, as on a full disk, as long as this lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    saved_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &saved_);
    const rlimit limit = {bytes, saved_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &saved_);
    std::signal(SIGXFSZ, saved_handler_);
  }

 private:
  rlimit saved_{};
  void (*saved_handler_)(int) = SIG_DFL;
};

TEST_F(ArtifactStoreTest, AnArtifactIsFoundByTheHashOfItsBytes) {
  const std::string bytes("a\0b\n", 4);
  const std::string address = store_.put(bytes);
  EXPECT_EQ(address, sha256_hex(bytes));
  EXPECT_EQ(ArtifactStore::open(path("a"), true).get(address), bytes);
  EXPECT_EQ(store_.get(store_.put("")), "");
}

TEST_F(ArtifactStoreTest, StoringTwiceIsOnce) {
  const std::string address = store_.put("weights");
  EXPECT_EQ(store_.put("weights"), address);
  EXPECT_EQ(files(), 1U);
}

TEST_F(ArtifactStoreTest, EveryFlippedByteIsDetected) {
  const std::string bytes = "0123456789";
  const std::string address = store_.put(bytes);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    flip_byte(path("a/" + address), at);
    EXPECT_THAT(error_of(ErrorKind::corrupt, [&] { store_.get(address); }),
                HasSubstr("a/" + address + ": the artifact is damaged"));
    flip_byte(path("a/" + address), at);
  }
  EXPECT_EQ(store_.get(address), bytes);
}

TEST_F(ArtifactStoreTest, ACutArtifactIsDetected) {
  const std::string address = store_.put(std::string(10000, 'w'));
  std::filesystem::resize_file(path("a/" + address), 4096);
  error_of(ErrorKind::corrupt, [&] { store_.get(address); });
}

TEST_F(ArtifactStoreTest, StoringADamagedOneAgainMakesItWhole) {
  const std::string address = store_.put("weights");
  flip_byte(path("a/" + address), 0);
  EXPECT_EQ(store_.put("weights"), address);
  EXPECT_EQ(store_.get(address), "weights");
}

TEST_F(ArtifactStoreTest, AnUnknownAddressIsNotFound) {
  const std::string nowhere(64, '0');
  EXPECT_THAT(error_of(ErrorKind::not_found, [&] { store_.get(nowhere); }), HasSubstr(nowhere));
  EXPECT_FALSE(store_.contains(nowhere));
  store_.remove(nowhere);
}

TEST_F(ArtifactStoreTest, APathIsNoAddress) {
  write(path("secret"), "s");
  for (const std::string name : {"../secret", "", "..", "A123"}) {
    EXPECT_THAT(error_of(ErrorKind::not_found, [&] { store_.get(name); }),
                HasSubstr("expected an artifact's address"));
    store_.remove(name);
    EXPECT_FALSE(store_.contains(name));
  }
  EXPECT_EQ(read(path("secret")), "s");
}

TEST_F(ArtifactStoreTest, AFailedWriteLeavesNothingBehind) {
  const std::string small = store_.put("small");
  const std::string large(100000, 'w');
  {
    const FileSizeLimit limit(4096);
    EXPECT_THAT(error_of(ErrorKind::unavailable, [&] { store_.put(large); }),
                HasSubstr("cannot be written: File too large"));
  }
  EXPECT_THAT(store_.list(), ElementsAre(small));
  EXPECT_EQ(files(), 1U);
  EXPECT_EQ(store_.get(store_.put(large)), large);
}

TEST_F(ArtifactStoreTest, AReadOnlyFolderRefusesToStoreButAnswers) {
  const std::string address = store_.put("weights");
  std::filesystem::permissions(path("a"), std::filesystem::perms(0555));
  {
    const AsNobody nobody;
    EXPECT_THAT(error_of(ErrorKind::unavailable, [&] { store_.put("others"); }),
                HasSubstr("Permission denied"));
    error_of(ErrorKind::unavailable, [&] { store_.remove(address); });
    error_of(ErrorKind::unavailable, [&] { store_.collect({}); });
    EXPECT_EQ(store_.get(address), "weights");
  }
  std::filesystem::permissions(path("a"), std::filesystem::perms(0755));
}

TEST_F(ArtifactStoreTest, AFileInPlaceOfTheFolderIsRefused) {
  write(path("file"), "");
  EXPECT_THAT(error_of(ErrorKind::unavailable, [&] { ArtifactStore::open(path("file/a")); }),
              HasSubstr("cannot be made"));
}

TEST_F(ArtifactStoreTest, CollectingTakesOrphansAndLeftOversOnly) {
  const std::string kept = store_.put("kept");
  const std::string orphan = store_.put("orphan");
  write(path("a/" + orphan + ".123.1.part"), "torn");
  write(path("a/README"), "someone's");
  EXPECT_EQ(store_.collect({kept, std::string(64, '0')}), 2U);
  EXPECT_THAT(store_.list(), ElementsAre(kept));
  EXPECT_EQ(read(path("a/README")), "someone's");
  EXPECT_EQ(store_.collect({kept}), 0U);
}

TEST_F(ArtifactStoreTest, ALeftOverTempFileIsNoArtifact) {
  const std::string address = sha256_hex("weights");
  write(path("a/" + address + ".1.1.part"), "wei");
  EXPECT_THAT(store_.list(), IsEmpty());
  EXPECT_EQ(store_.get(store_.put("weights")), "weights");
}

TEST_F(ArtifactStoreTest, ThreadsMayStoreTheSameAtOnce) {
  const std::string bytes(200000, 'w');
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) {
        const std::string address = store_.put(bytes + std::to_string(n));
        EXPECT_EQ(store_.get(address), bytes + std::to_string(n));
      }
    });
  }
  threads.clear();
  EXPECT_EQ(files(), 10U);
}

}  // namespace
}  // namespace freshet
