# Build helpers: one library per folder, one warning set, third-party packages as targets.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)

# Warnings, for every target of ours.
add_library(scanmq_warnings INTERFACE)
target_compile_options(scanmq_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wcast-qual -Woverloaded-virtual -Wundef)
if(SCANMQ_WARNINGS_AS_ERRORS)
  target_compile_options(scanmq_warnings INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives of these from inlined standard containers at -O2 and above.
  target_compile_options(scanmq_warnings INTERFACE -Wno-restrict -Wno-stringop-overflow
    -Wno-array-bounds -Wno-maybe-uninitialized -Wno-dangling-pointer)
endif()

# Sanitizers and frame pointers, for every target of ours.
add_library(scanmq_options INTERFACE)
target_include_directories(scanmq_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(scanmq_options INTERFACE -fno-omit-frame-pointer)
if(SCANMQ_SANITIZE)
  target_compile_options(scanmq_options INTERFACE -fsanitize=${SCANMQ_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(scanmq_options INTERFACE -fsanitize=${SCANMQ_SANITIZE})
endif()

# Boost.Asio 1.74: GCC needs <utility> before it in C++20, Clang 14 the coroutine switch.
add_library(scanmq_asio INTERFACE)
# Its fences make GCC warn under ThreadSanitizer, which does not model them.
target_compile_options(scanmq_asio INTERFACE $<$<COMPILE_LANGUAGE:CXX>:SHELL:-include utility>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
target_compile_definitions(scanmq_asio INTERFACE BOOST_ASIO_NO_DEPRECATED
  $<$<CXX_COMPILER_ID:Clang>:BOOST_ASIO_HAS_CO_AWAIT>)
target_link_libraries(scanmq_asio INTERFACE Threads::Threads)

# Highway, for sources compiled once for each instruction set: the plain loop, AVX2 and AVX-512 where the
# compiler targets x86-64. SSE4 would gain little over the plain loop in doubles, and each costs a compilation.
find_package(hwy REQUIRED)
add_library(scanmq_highway INTERFACE)
target_link_libraries(scanmq_highway INTERFACE hwy::hwy)
target_compile_definitions(scanmq_highway INTERFACE
  "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SSE4|HWY_AVX3_DL)")

# scanmq_library(NAME DEPS ...): every .cpp of this folder but main.cpp.
function(scanmq_library name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*.hpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT "${sources}" MATCHES "\\.cpp")  # headers only
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE scanmq_options ${ARG_DEPS})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${name} PUBLIC scanmq_options ${ARG_DEPS} PRIVATE scanmq_warnings)
endfunction()

# scanmq_program(NAME DEPS ...): main.cpp of this folder, as bin/NAME.
function(scanmq_program name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/main.cpp)
    add_executable(${name} ${CMAKE_CURRENT_SOURCE_DIR}/main.cpp)
    target_link_libraries(${name} PRIVATE scanmq_warnings ${ARG_DEPS})
  endif()
endfunction()
