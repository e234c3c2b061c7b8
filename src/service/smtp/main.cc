// smtp: hands mail on to other servers by SMTP and LMTP.
#include "runtime/service.h"
#include "service/smtp/smtp_service.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::smtp,
                                 .before_confinement = {},
                                 .make = sternpost::smtp_client::SmtpService::make});
}
