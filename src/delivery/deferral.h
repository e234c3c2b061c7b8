// What a failure here means for the recipient: a later attempt.
#pragma once

#include <string_view>

#include "delivery/file_system.h"
#include "mail/status.h"

namespace sternpost::delivery {

/// The deferral that a failed call means: `what` was being done.
mail::Reply deferral(Errno error, std::string_view what);

}  // namespace sternpost::delivery
