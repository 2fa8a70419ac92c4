#pragma once

#include <string>
#include <string_view>

namespace freshet {

/// An anchor as an artifact: a learner's saved state (see `Learner::save`) behind a mark and its
/// format; and back. `anchor_state` also takes anchors from before they had a format; it throws
/// Error{corrupt} naming both formats for one of another build. Its view lives as long as `anchor`.
std::string anchor_bytes(std::string_view state);
std::string_view anchor_state(std::string_view anchor);

}  // namespace freshet
