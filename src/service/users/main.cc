// users: does the system know this user?
#include "runtime/service.h"
#include "service/users/name_service.h"
#include "service/users/users_service.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::users,
                                 .before_confinement = sternpost::users::warm_up,
                                 .make = sternpost::users::UsersService::make});
}
