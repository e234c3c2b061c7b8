// spool: owns the queue on disk.
#include "runtime/service.h"
#include "service/spool/spool_service.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::spool,
                                 .before_confinement = {},
                                 .make = sternpost::spool_service::SpoolService::make});
}
