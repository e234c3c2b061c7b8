// router: which recipients are ours, and where each goes.
#include "runtime/service.h"
#include "service/router/router_service.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::router,
                                 .before_confinement = {},
                                 .make = sternpost::router::RouterService::make});
}
