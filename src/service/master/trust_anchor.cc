#include "service/master/trust_anchor.h"

#include <cerrno>

namespace sternpost {

Result<UniqueFd> open_trust_anchor(const Launcher& launcher, const config::MasterSlice& settings) {
  auto file = launcher.open_file(settings.trust_anchor);
  if (file) return file;
  if (file.error().errno_value == ENOENT)
    file.error().text += "; install Debian's package dns-root-data, or name another file";
  return fail_with(std::move(file), "dns.trust_anchor");
}

}  // namespace sternpost
