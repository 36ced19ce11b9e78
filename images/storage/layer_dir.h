/*
 * layer_dir: how layers and writable parts lie on the disk, the same for every driver of Linux.
 *
 *     <root>/<hex chain id>/diff      a layer, complete
 *     <root>/l/<24 hex>               a link to it, so that mount options stay short
 *     <root>/rw/<container id>/       upper, work; chain: what it stands on
 *     <root>/tmp/<random>             being filled, or being removed
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "core/storage_driver.h"

char *layer_dir_path(const char *root, const char *chain_id);
char *layer_dir_link(const char *root, const char *chain_id);
bool layer_dir_has(const char *root, const char *chain_id);
/* Fills a new directory and renames it into place. */
int layer_dir_ensure(const char *root, const char *chain_id, layer_fill_fn *fill, void *arg,
                     struct err *e) MUST_USE;
/* The layer is gone at once, in one rename; its files follow. */
int layer_dir_remove(const char *root, const char *chain_id, struct err *e) MUST_USE;
char *rw_dir_path(const char *root, const char *id);
int rw_dir_remove(const char *root, const char *id, struct err *e) MUST_USE;
