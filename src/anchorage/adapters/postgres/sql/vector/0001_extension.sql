-- pgvector: a superuser may have to install it once ("CREATE EXTENSION vector") where the service's user may not.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN
        CREATE EXTENSION vector;
    END IF;
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE EXCEPTION 'The extension pgvector (>= 0.8) is needed: have an administrator install it and run CREATE EXTENSION vector in this database'
        USING ERRCODE = 'feature_not_supported';
END $$;
