-- Says of 000020 too who may go on: that is one statement outside of a transaction, so that writers go on while its index is made.
INSERT INTO public.schema_compatibility VALUES ('000019', '000015'), ('000020', '000015');
