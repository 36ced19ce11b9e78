/* preload: image archives that belong to the installation, loaded when their image is missing. */
#pragma once

#include "base/err.h"

struct images;

/* dir NULL: <directory of the program>/../share/ballast/images, when it is there.  "<name>.tar" is
 * loaded when no image is called <name> ("%" stands for "/", "@" for ":"). */
int preload_images(struct images *im, const char *dir, struct err *e) MUST_USE;
