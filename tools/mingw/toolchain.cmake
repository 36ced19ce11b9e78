# Debian's mingw-w64 with POSIX threads (package gcc-mingw-w64-x86-64-posix), for 64-bit Windows 10
# 1809, Server 2019 and later.  The libraries come from tools/mingw/build-deps.sh.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

if(DEFINED ENV{BALLAST_MINGW_DEPS})
    get_filename_component(deps $ENV{BALLAST_MINGW_DEPS} ABSOLUTE)
else()
    get_filename_component(deps ${CMAKE_CURRENT_LIST_DIR}/../../build/mingw-deps ABSOLUTE)
endif()
set(BALLAST_MINGW_DEPS ${deps} CACHE PATH "Where tools/mingw/build-deps.sh put the libraries")
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32 ${BALLAST_MINGW_DEPS})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${BALLAST_MINGW_DEPS}/lib/pkgconfig) # the host's .pc files are not ours

# __USE_MINGW_ANSI_STDIO: printf as C defines it, with %zu and %lld, instead of msvcrt's.
set(CMAKE_C_FLAGS_INIT "-D_WIN32_WINNT=0x0A00 -DUNICODE -D_UNICODE -D__USE_MINGW_ANSI_STDIO=1")
set(CMAKE_C_FLAGS_INIT "${CMAKE_C_FLAGS_INIT} -I${BALLAST_MINGW_DEPS}/include")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -L${BALLAST_MINGW_DEPS}/lib")

# Tests run under Wine where it is installed.  Not /usr/bin/wine, whose wrapper speaks to the user.
find_program(BALLAST_WINE NAMES wine64 PATHS /usr/lib/wine NO_CMAKE_FIND_ROOT_PATH)
if(BALLAST_WINE)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_CURRENT_LIST_DIR}/wine.sh ${BALLAST_WINE})
endif()
