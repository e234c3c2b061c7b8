# The libraries that Sternpost stands on. docs/architecture.md section 8 says why each was chosen.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(CAPNG REQUIRED IMPORTED_TARGET libcap-ng)
# Not by pkg-config, which wants what only a static libunbound would be linked with.
find_path(UNBOUND_INCLUDE unbound-event.h REQUIRED)
find_library(UNBOUND_LIBRARY unbound REQUIRED)
add_library(unbound::unbound UNKNOWN IMPORTED)
set_target_properties(unbound::unbound PROPERTIES
  IMPORTED_LOCATION ${UNBOUND_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${UNBOUND_INCLUDE})
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
if(STERNPOST_TESTS)
  find_package(GTest REQUIRED)
endif()
