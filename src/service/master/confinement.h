// From a row of the plan to what the sandbox is told.
#pragma once

#include <cstdint>

#include "runtime/sandbox.h"
#include "service/master/instance.h"
#include "service/master/plan.h"

namespace sternpost {

Confinement confinement_of(const Row& row, bool as_root, std::uint32_t uid_base, Owner mail_owner,
                           bool weaker);

}  // namespace sternpost
