#include "mail/status.h"

#include <fmt/format.h>

namespace sternpost::mail {

std::string to_string(EnhancedStatus status) {
  return fmt::format("{}.{}.{}", status.status_class, status.subject, status.detail);
}

std::string to_string(const Reply& reply) {
  if (reply.status.status_class == 0) return fmt::format("{} {}", reply.code, reply.text);
  return fmt::format("{} {} {}", reply.code, to_string(reply.status), reply.text);
}

}  // namespace sternpost::mail
