CREATE TRIGGER contract_divisions_audit
    AFTER INSERT OR UPDATE OR DELETE ON public.contract_divisions
    FOR EACH ROW EXECUTE FUNCTION public.esoz_audit();
