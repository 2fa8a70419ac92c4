// Bytes from outside, changed at random, at each place where they come in.
#include <gtest/gtest.h>

#include <algorithm>

#include "fuzz/targets.h"
#include "stream/random.h"

namespace freshet {
namespace {

constexpr std::size_t kTries = 20'000;

/// A few changes: of a bit, a byte, a piece cut, doubled or put elsewhere.
std::string changed(std::string bytes, KeyedGenerator& draw) {
  static const std::string kTelling("\0\xff\"\\,\n\r{}[]:-.eE0139%", 22);
  for (auto changes = 1 + draw.below(6); changes > 0 && !bytes.empty(); --changes) {
    const auto at = draw.below(bytes.size());
    const auto size = 1 + draw.below(std::min<std::size_t>(bytes.size() - at, 40));
    switch (draw.below(6)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << draw.below(8)));
        break;
      case 1:
        bytes[at] = kTelling[draw.below(kTelling.size())];
        break;
      case 2:
        bytes.erase(at, size);
        break;
      case 3:
        bytes.insert(at, std::string(bytes, at, size));
        break;
      case 4:
        bytes.insert(draw.below(bytes.size()), std::string(bytes, at, size));
        break;
      default:
        bytes.resize(at);
    }
  }
  return bytes;
}

TEST(Fuzz, BytesFromOutsideAreTakenOrRefusedWhateverTheyAre) {
  for (const FuzzTarget& target : fuzz_targets()) {
    KeyedGenerator draw(11);
    for (const std::string& seed : target.seeds) {
      ASSERT_NO_THROW(target.take(seed)) << target.name;
      for (std::size_t i = 0; i < kTries / target.seeds.size(); ++i) {
        const std::string bytes = changed(seed, draw);
        ASSERT_NO_THROW(target.take(bytes)) << target.name << ":\n" << bytes;
      }
    }
  }
}

}  // namespace
}  // namespace freshet
