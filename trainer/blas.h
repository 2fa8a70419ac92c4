#pragma once

#include <string>

namespace freshet {

/// The BLAS library that LibTorch would load.
struct BlasLibrary {
  std::string path;        ///< resolved; empty if none was found
  bool reference = false;  ///< the reference BLAS: right, and several times slower
};

/// Looks it up without loading torch, in about a millisecond.
BlasLibrary find_blas();

}  // namespace freshet
