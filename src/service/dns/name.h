// Domain names as this compartment takes and gives them.
#pragma once

#include <string>
#include <string_view>

namespace sternpost::dns {

/// In lower case and without the trailing dot: the form that is_dns_name judges. The root becomes "".
std::string normalized(std::string_view name);

}  // namespace sternpost::dns
