#pragma once

#include <gtest/gtest.h>

#include <string>

#include "stream/error.h"

namespace freshet {

/// The message of the Error of this kind that `action` throws.
template <class Action>
std::string error_of(ErrorKind kind, Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

}  // namespace freshet
