// What no parameter can check alone: values that contradict each other.
#pragma once

#include <vector>

#include "config/read_value.h"
#include "config/values.h"

namespace sternpost::config {

/// Everything that contradicts; the line is that of the file, or 0 where only defaults are involved.
std::vector<Complaint> cross_check(const Values& values);

}  // namespace sternpost::config
