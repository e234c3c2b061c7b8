# How a folder becomes a library, its tests and its fuzz targets, and a service becomes a program.

include(GoogleTest)

# sternpost_fuzzers(LIBRARY [SOURCE ...]): a fuzz target from each source.
function(sternpost_fuzzers library)
  if(NOT STERNPOST_FUZZ)
    return()
  endif()
  foreach(fuzzer ${ARGN})
    get_filename_component(target ${fuzzer} NAME_WE)
    add_executable(${target} ${fuzzer})
    target_link_libraries(${target} PRIVATE ${library})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  endforeach()
endfunction()

# sternpost_unit_tests(TARGET KIND LIBRARY [SOURCE ...]): the program TARGET of a library's unit tests; for KIND see
# Precompiled.cmake. A test takes longer to compile than to run, so it is compiled without optimising.
function(sternpost_unit_tests target kind library)
  if(NOT STERNPOST_TESTS OR NOT ARGN)
    return()
  endif()
  add_executable(${target} ${ARGN})
  target_link_libraries(${target} PRIVATE ${library} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_options(${target} PRIVATE -O0)
  sternpost_precompile(${target} ${kind}_test)
  gtest_discover_tests(${target} PROPERTIES LABELS unit DISCOVERY_MODE PRE_TEST)
endfunction()

# sternpost_layer(NAME [DEPS ...]): the library sternpost_NAME from every source below this folder.
# foo_test.cc goes into NAME_test, each fuzz_foo.cc into a program of its own.
function(sternpost_layer name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  set(kind base)
  if(name STREQUAL "runtime")
    set(kind runtime)
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(fuzzers ${sources})
  list(FILTER fuzzers INCLUDE REGEX "/fuzz_[a-z_0-9]+\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/fuzz_[a-z_0-9]+\\.cc$")

  if(sources)
    add_library(sternpost_${name} STATIC ${sources})
    target_include_directories(sternpost_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(sternpost_${name} PUBLIC sternpost_flags ${ARG_DEPS})
    sternpost_precompile(sternpost_${name} ${kind})
  else()
    add_library(sternpost_${name} INTERFACE)
    target_include_directories(sternpost_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(sternpost_${name} INTERFACE sternpost_flags ${ARG_DEPS})
  endif()

  sternpost_unit_tests(${name}_test ${kind} sternpost_${name} ${tests})

  sternpost_fuzzers(sternpost_${name} ${fuzzers})
endfunction()

# sternpost_service(NAME [DEPS ...]): the compartment program libexec/sternpost/NAME and, from every
# source but main.cc, the library that its tests use.
function(sternpost_service name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/fuzz_|/main\\.cc$")
  if(sources)
    add_library(sternpost_service_${name} STATIC ${sources})
    target_link_libraries(sternpost_service_${name} PUBLIC sternpost_runtime ${ARG_DEPS})
    sternpost_precompile(sternpost_service_${name} runtime)
  else()
    add_library(sternpost_service_${name} INTERFACE)
    target_link_libraries(sternpost_service_${name} INTERFACE sternpost_runtime ${ARG_DEPS})
  endif()
  add_executable(service_${name} ${CMAKE_CURRENT_SOURCE_DIR}/main.cc)
  if(STERNPOST_SANITIZE)
    target_sources(service_${name} PRIVATE ${CMAKE_SOURCE_DIR}/src/service/sanitizer_defaults.cc)
  endif()
  target_link_libraries(service_${name} PRIVATE sternpost_service_${name})
  set_target_properties(service_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/libexec/sternpost)
  install(TARGETS service_${name} DESTINATION libexec/sternpost)
  sternpost_unit_tests(service_${name}_test runtime sternpost_service_${name} ${tests})
endfunction()
