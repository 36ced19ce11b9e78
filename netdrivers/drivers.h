/* The drivers of this platform.  Only drivers.c lists them; nothing else names one. */
#pragma once

#include "core/net_driver.h"

extern const struct net_driver_ops net_driver_bridge;
extern const struct net_driver_ops net_driver_host;
extern const struct net_driver_ops net_driver_none;
