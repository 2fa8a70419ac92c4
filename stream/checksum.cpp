#include "stream/checksum.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <memory>
#include <new>

namespace freshet {

// Numbers are hashed as they stand in memory.
static_assert(std::endian::native == std::endian::little);

std::string checksum(std::initializer_list<std::uint64_t> numbers, std::string_view bytes) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (state == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state.get());
  for (const std::uint64_t number : numbers) {
    XXH3_128bits_update(state.get(), &number, sizeof number);
  }
  XXH3_128bits_update(state.get(), bytes.data(), bytes.size());
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace freshet
