// smtpd: the SMTP server. Takes mail from the network and hands it to spool; knows no file and no user.
#include "runtime/service.h"
#include "service/smtpd/smtpd_service.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::smtpd,
                                 .before_confinement = {},
                                 .make = sternpost::smtpd::make_service});
}
