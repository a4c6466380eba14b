# One CMake target for each room, so that the linker holds the direction of dependencies beside
# tests/tidy.

add_library(quiver_flags INTERFACE)
target_compile_options(quiver_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror)
# Our "thrift/..." and the library's <thrift/...> must not meet: -iquote serves the quoted form only.
target_compile_options(quiver_flags INTERFACE "SHELL:-iquote ${CMAKE_SOURCE_DIR}")
target_compile_definitions(quiver_flags INTERFACE QV_VERSION="${PROJECT_VERSION}")
if(QUIVER_SANITIZE)
  target_compile_options(quiver_flags INTERFACE
    -fsanitize=${QUIVER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(quiver_flags INTERFACE -fsanitize=${QUIVER_SANITIZE})
  if(QUIVER_SANITIZE MATCHES undefined)
    # It opens files to see whether an address may be read, and takes a process that is out of
    # descriptors, as a test of ours is, for one with bad pointers.
    target_compile_options(quiver_flags INTERFACE -fno-sanitize=vptr)
  endif()
  # hnswlib's prefetches read a few bytes past its arrays.
  target_compile_definitions(quiver_flags INTERFACE NO_MANUAL_VECTORIZATION)
  if(QUIVER_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(quiver_flags INTERFACE -Wno-tsan)
  endif()
endif()

# quiver_room(NAME storage SOURCES a.cpp b.cpp DEPS core PRIVATE RocksDB::rocksdb PUBLIC ...)
# DEPS are rooms; PRIVATE and PUBLIC are third-party targets.
function(quiver_room)
  cmake_parse_arguments(ROOM "" "NAME" "SOURCES;DEPS;PRIVATE;PUBLIC" ${ARGN})
  add_library(quiver_${ROOM_NAME} STATIC ${ROOM_SOURCES})
  target_link_libraries(quiver_${ROOM_NAME} PUBLIC quiver_flags ${ROOM_PUBLIC} PRIVATE ${ROOM_PRIVATE})
  foreach(dep ${ROOM_DEPS})
    target_link_libraries(quiver_${ROOM_NAME} PUBLIC quiver_${dep})
  endforeach()
endfunction()

# quiver_test(NAME storage SOURCES ... LINK quiver_storage ...): a Catch2 program, each case a test.
function(quiver_test)
  cmake_parse_arguments(TEST "" "NAME;TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 300)
  endif()
  add_executable(${TEST_NAME}_test ${TEST_SOURCES})
  target_link_libraries(${TEST_NAME}_test PRIVATE quiver_flags ${TEST_LINK} Catch2::Catch2WithMain)
  target_compile_definitions(${TEST_NAME}_test PRIVATE
    QV_SOURCE_DIR="${CMAKE_SOURCE_DIR}" QV_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(CMAKE_BUILD_TYPE STREQUAL Release)
    target_compile_options(${TEST_NAME}_test PRIVATE -O1 -UNDEBUG)
  endif()
  catch_discover_tests(${TEST_NAME}_test TEST_PREFIX "${TEST_NAME}: "
    PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}")
endfunction()
