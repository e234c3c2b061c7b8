#include "service/config/answer.h"

#include <unistd.h>

#include <cerrno>

#include "base/codec.h"
#include "config/document.h"
#include "config/load.h"
#include "config/make_slices.h"

namespace sternpost::config {

ConfigAnswer answer(const ConfigRequest& request, std::string_view text) {
  const auto values = load({text, request.file_name, request.state_directory});
  if (!values) return {{}, values.error()};
  const auto slices = make_slices(*values);
  return {{{Compartment::master, encode(slices.master)},
           {Compartment::smtpd, encode(slices.smtpd)},
           {Compartment::spool, encode(slices.spool)},
           {Compartment::qmgr, encode(slices.qmgr)},
           {Compartment::router, encode(slices.router)},
           {Compartment::users, encode(slices.users)},
           {Compartment::virtual_mailbox, encode(slices.virtual_mailbox)},
           {Compartment::log, encode(slices.log)},
           {Compartment::admin, encode(slices.admin)},
           {Compartment::dns, encode(slices.dns)},
           {Compartment::smtp, encode(slices.smtp)},
           {Compartment::bounce, encode(slices.bounce)}},
          {}};
}

Result<std::string> read_file(int fd) {
  std::string text(kMaxFile + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::pread(fd, text.data() + size, text.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("reading the configuration");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace sternpost::config
