// From a row of the plan to what the sandbox is told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/sandbox.h"
#include "service/master/instance.h"
#include "service/master/plan.h"

namespace sternpost {

/// `tcp_ports`: those that the row connects to, see tcp_ports_of.
Confinement confinement_of(const Row& row, bool as_root, std::uint32_t uid_base, Owner mail_owner,
                           bool weaker, std::vector<std::uint16_t> tcp_ports = {});

/// The ports to which the row may make TCP connections under this configuration.
std::vector<std::uint16_t> tcp_ports_of(const Row& row, const config::MasterSlice& settings);

/// Whether master connects this Unix-domain socket for the row: only what the configuration names.
bool may_be_connected(const Row& row, const config::MasterSlice& settings, const std::string& path);

}  // namespace sternpost
