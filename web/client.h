#pragma once

#include <memory>

#include "orchestrator/owner.h"

namespace freshet {

/// The workspace's owner over HTTP, as its lock file names it, with the token of FRESHET_TOKEN or
/// else the workspace's own; nullptr if nobody serves the workspace.
///
/// Under https the server's certificate must be one that the system trusts, or be that of
/// `address.certificate`, and name the address the server listens on. Throws Error{not_found}
/// where that file is none.
std::unique_ptr<Owner> find_http_owner(const OwnerAddress& address);

}  // namespace freshet
