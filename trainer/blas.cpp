#include "trainer/blas.h"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>

namespace freshet {

BlasLibrary find_blas() {
  BlasLibrary blas;
  void* handle = dlopen("libblas.so.3", RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) return blas;
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr) {
    std::error_code ignored;
    blas.path = std::filesystem::canonical(map->l_name, ignored).string();
  }
  blas.reference = dlsym(handle, "openblas_get_config") == nullptr &&
                   dlsym(handle, "bli_info_get_version_str") == nullptr &&
                   dlsym(handle, "mkl_get_version") == nullptr;
  // Debian's OpenBLAS splits its libblas from the library that has its own symbols.
  if (blas.path.find("openblas") != std::string::npos) blas.reference = false;
  dlclose(handle);
  return blas;
}

}  // namespace freshet
