#pragma once

#include <string>

namespace freshet {

/// The program's version, those of the libraries it uses, the BLAS library that LibTorch would load
/// (with a warning if it is the slow reference BLAS) and the ISA profile. Does not load torch.
std::string version_text(bool json);

/// The program's own version.
std::string program_version();

}  // namespace freshet
