// admin: serves the control socket. See docs/architecture.md section 2.
#include "service/admin/admin_service.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::admin,
                                 .before_confinement = {},
                                 .make = &sternpost::AdminService::make});
}
