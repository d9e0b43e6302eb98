-- The roles and the database of docs/how-to/prepare-servers.md, with passwords from files.
\set app_password `cat /run/credentials/app-password`
\set owner_password `cat /run/credentials/owner-password`
CREATE ROLE esoz_service NOLOGIN NOINHERIT;
CREATE ROLE esoz_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE esoz_app LOGIN PASSWORD :'app_password';
GRANT esoz_service TO esoz_app;
CREATE DATABASE esoz OWNER esoz_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE esoz FROM PUBLIC;
GRANT CONNECT ON DATABASE esoz TO esoz_app;
