// Domain names as this compartment takes and gives them.
#pragma once

#include <string>
#include <string_view>

namespace sternpost::dns {

/// 1 to 253 octets of labels, each 1 to 63 of lower-case letters, digits, '-' and '_', with single dots
/// between them and none at the end. The root, "", is not one.
bool is_name(std::string_view name);

/// In lower case and without the trailing dot: the form that is_name judges. The root becomes "".
std::string normalized(std::string_view name);

}  // namespace sternpost::dns
