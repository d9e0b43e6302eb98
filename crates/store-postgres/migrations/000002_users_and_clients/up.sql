-- Users and clients come into being by being named; all that is kept is whether they are blocked.
CREATE TABLE public.users (
    id         uuid    PRIMARY KEY,
    is_blocked boolean NOT NULL DEFAULT false
);

CREATE TABLE public.clients (
    id         uuid    PRIMARY KEY,
    is_blocked boolean NOT NULL DEFAULT false
);

GRANT SELECT, INSERT, UPDATE ON public.users, public.clients TO esoz_service;
