#include "trainer/artifact.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "stream/error.h"
#include "stream/random.h"

namespace freshet {
namespace {

Artifact example() {
  Artifact artifact;
  artifact.spec.network.hidden = {5};
  for (int i = 0; i < 3; ++i) {
    FeatureSlot slot;
    slot.name = "field " + std::to_string(i);
    slot.scaled = true;
    artifact.spec.layout.push_back(slot);
  }
  FeatureSlot embedding;
  embedding.name = "kind";
  embedding.embedding = true;
  embedding.buckets = 7;
  embedding.dim = 2;
  artifact.spec.layout.push_back(embedding);
  KeyedGenerator generator(1);
  artifact.state.parameters.resize(parameter_count(artifact.spec));
  for (float& p : artifact.state.parameters) p = static_cast<float>(generator.uniform());
  artifact.state.scaler = {{9, 9, 9}, {1, 2, 3}, {4, 5, 6}};
  artifact.state.label_mean = 1.5;
  artifact.state.label_scale = 2.5;
  return artifact;
}

TEST(Artifact, ReadsBackWhatWasWrittenAndIsByteStable) {
  const Artifact written = example();
  const std::string bytes = write_artifact(written.spec, written.state);
  EXPECT_EQ(bytes, write_artifact(written.spec, written.state));
  const Artifact read = read_artifact(bytes);
  EXPECT_EQ(read.spec, written.spec);
  EXPECT_EQ(read.state, written.state);
}

TEST(Artifact, CutAnywhereItIsRefused) {
  const Artifact written = example();
  const std::string bytes = write_artifact(written.spec, written.state);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(read_artifact(bytes.substr(0, size)), Error) << size;
  }
}

TEST(Artifact, AFlippedHeaderByteIsRefusedOrHarmless) {
  const Artifact written = example();
  const std::string bytes = write_artifact(written.spec, written.state);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < sizeof header + header; ++i) {
    for (const unsigned flip : {1U, 0x80U, 0xFFU}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ flip);
      try {
        read_artifact(damaged);
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::corrupt);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, header);
}

TEST(Artifact, WeightsThatAreNoNumbersAreRefused) {
  Artifact written = example();
  written.state.parameters[3] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(read_artifact(write_artifact(written.spec, written.state)), Error);
}

TEST(Artifact, OfAnotherFormatIsRefusedNamingBoth) {
  std::string bytes = write_artifact(example().spec, example().state);
  // In the header the manifest is a text of JSON.
  const std::string mark = "\\\"format\\\":1";
  const std::size_t at = bytes.find(mark);
  ASSERT_NE(at, std::string::npos);
  bytes[at + mark.size() - 1] = '7';
  try {
    read_artifact(bytes);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_STREQ(error.what(), "the artifact has format 7, this build reads format 1");
  }
}

}  // namespace
}  // namespace freshet
