# The libraries that Sternpost stands on. docs/architecture.md section 8 says why each was chosen.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(CAPNG REQUIRED IMPORTED_TARGET libcap-ng)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
if(STERNPOST_TESTS)
  find_package(GTest REQUIRED)
endif()
