#include "orchestrator/version.h"

#include <fmt/format.h>
#include <spdlog/version.h>

#include <CLI/Version.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/build_identity.h"
#include "stream/library_versions.h"
#include "trainer/blas.h"
#include "trainer/scorer.h"
#include "trainer/train_step.h"

namespace freshet {

std::string build_identity() {
  return fmt::format("freshet {} torch {} gcc {}", FRESHET_VERSION, FRESHET_TORCH_VERSION,
                     __VERSION__);
}

std::string program_version() { return FRESHET_VERSION; }

std::string version_text(bool json) {
  const BlasLibrary blas = find_blas();
  const std::string warning =
      blas.path.empty() ? "no BLAS library was found: training cannot start"
      : blas.reference  ? "the reference BLAS would be loaded: training is about 5 times slower; "
                          "install libopenblas0-pthread"
                        : "";
  nlohmann::ordered_json j{{"freshet", FRESHET_VERSION}, {"torch", FRESHET_TORCH_VERSION}};
  for (const LibraryVersion& library : stream_library_versions()) j[library.name] = library.version;
  j["nlohmann_json"] = fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                   NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
  j["cli11"] = CLI11_VERSION;
  j["spdlog"] = fmt::format("{}.{}.{}", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH);
  j["fmt"] = FMT_VERSION;
  j["blas"] = blas.path;
  j["isa_profile"] = isa_profile();
  j["scorer"] = scorer_target();
  if (!warning.empty()) j["warning"] = warning;
  if (json) return j.dump(2);
  std::string text;
  for (const auto& [name, value] : j.items()) {
    text += fmt::format("{:<14} {}\n", name,
                        value.is_string() ? value.get<std::string>() : value.dump());
  }
  text.pop_back();
  return text;
}

}  // namespace freshet
