// bounce: writes delivery status notifications.
#include "runtime/service.h"
#include "service/bounce/bounce_service.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::bounce,
                                 .before_confinement = {},
                                 .make = sternpost::bounce::BounceService::make});
}
