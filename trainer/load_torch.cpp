#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "stream/error.h"
#include "trainer/train_step.h"

namespace freshet {

namespace {

namespace fs = std::filesystem;

constexpr const char* kModule = "libfreshet-torch.so";

bool cpu_has_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
#else
  return false;
#endif
}

/// What the user set wins; lineage records what is in force.
void set_profile() {
  setenv("OPENBLAS_NUM_THREADS", "1", 0);
  setenv("OMP_NUM_THREADS", "1", 0);
  setenv("OMP_DYNAMIC", "FALSE", 0);
  if (!cpu_has_avx2()) return;
  setenv("OPENBLAS_CORETYPE", "Haswell", 0);
  setenv("ATEN_CPU_CAPABILITY", "avx2", 0);
}

std::vector<fs::path> places() {
  std::vector<fs::path> paths;
  if (const char* named = std::getenv("FRESHET_TORCH_MODULE")) paths.emplace_back(named);
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  paths.push_back(folder / kModule);
  paths.push_back(folder.parent_path() / "lib" / "freshet" / kModule);
  return paths;
}

const TorchModule* open_module() {
  set_profile();
  std::string tried;
  for (const fs::path& path : places()) {
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      tried += std::string("\n  ") + dlerror();
      continue;
    }
    using Factory = const TorchModule* (*)();
    const auto factory = reinterpret_cast<Factory>(dlsym(handle, "freshet_torch_module"));
    if (factory != nullptr) return factory();
    tried += "\n  " + path.string() + ": not this program's module";
  }
  throw Error(
      ErrorKind::unavailable,
      "the training module could not be loaded; FRESHET_TORCH_MODULE may name it. Tried:" + tried);
}

}  // namespace

const TorchModule& TorchModule::load() {
  static const TorchModule* module = open_module();
  return *module;
}

std::string isa_profile() {
  const auto setting = [](const char* name, const char* fallback) {
    const char* value = std::getenv(name);
    if (value != nullptr) return std::string(value);
    return std::string(cpu_has_avx2() ? fallback : "default");
  };
  return setting("ATEN_CPU_CAPABILITY", "avx2") + "/" + setting("OPENBLAS_CORETYPE", "Haswell");
}

}  // namespace freshet
