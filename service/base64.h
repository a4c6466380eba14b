#pragma once

#include "core/base64.h"

namespace quiver::service {

using quiver::Base64;
using quiver::base64_decode;
using quiver::base64_encode;

}  // namespace quiver::service
