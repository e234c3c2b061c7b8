// qmgr: what is delivered when.
#include "runtime/service.h"
#include "service/qmgr/qmgr_service.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::qmgr,
                                 .before_confinement = {},
                                 .make = sternpost::qmgr::QmgrService::make});
}
