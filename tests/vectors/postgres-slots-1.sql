
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE SCHEMA firedoor_slots;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE firedoor_slots.migrations (
    version bigint NOT NULL
);

CREATE TABLE firedoor_slots.slots (
    slot bigint NOT NULL,
    wrapped bytea NOT NULL
);

CREATE TABLE firedoor_slots.twin (
    one smallint NOT NULL,
    id bytea NOT NULL,
    key_check bytea NOT NULL,
    next bigint NOT NULL,
    CONSTRAINT twin_one_check CHECK ((one = 1))
);

INSERT INTO firedoor_slots.migrations VALUES (1);

INSERT INTO firedoor_slots.slots VALUES (225, '\x0a3d34c0c1036d513746f32563a1d1b5e19a63c6e25fce6139d0f49f03809c49782d91f618800b259543c22ae13d0b7675a6e1ecc73c280afc18579a');
INSERT INTO firedoor_slots.slots VALUES (226, '\xb89d10ffc227ebb7470fd02a61043369b47b5af0e3eb83f9e76e0b82b1cb7c2ce53442f6950c01fac449d072cfda2619561e6b90ac4a5262e6124d10');
INSERT INTO firedoor_slots.slots VALUES (227, '\x5dde6a4a21d6678209bc1376d0aadb21596c8525f768d791eb16cfc73aaa77ae54a3c083465d5ad275fbd070f723894f37309f0e99ad222f2bccb5fb');
INSERT INTO firedoor_slots.slots VALUES (228, '\x5511d485bb8ee10ef04d0eb6477488aeaa4b030cfefdeac275ba5507fcad2d69d608caa7da2f2e44d03f9c3856ba02e29dccf0bb181ae1cc66975b9a');
INSERT INTO firedoor_slots.slots VALUES (229, '\x2b3eed1d47b86faa963cbec73ff7d6d2b2248df1ba50d75b0176b6b108009427d6a4f8135f51ed83c90b643c09c3fa56c38f27104a85f18fb12e7102');
INSERT INTO firedoor_slots.slots VALUES (230, '\x42efe5f62b403fb06baa848c32e30daffd883651a76f1feea97cf229f124fd50740af34cf3b87b885ccd9468486f21aa2fd0bb5a74b676229b21136d');
INSERT INTO firedoor_slots.slots VALUES (231, '\x2ee9f02cf341fab4f43eba92d79ae179bf4405b3ac4efcec9bccdcfaae25a99f3cf64a1411d2df1b63104b006536c52a494d4d7fb360e89477706add');
INSERT INTO firedoor_slots.slots VALUES (232, '\x5e463f67b56ff8b67b8bbe1d76bb76c833f21f1574504e5e4f4a9047555f6fe6e235244699ab08a6d9418a4653861bbf63fb72cf668af364bcd7de75');
INSERT INTO firedoor_slots.slots VALUES (233, '\xbcaa6128d8d52db5d26fa3132a0e771f0590a23da30ef941af26e3f601ad3f86d09bdcea96e4bf5fbae2a3c23c8c5ea81fbf02c363259addd69616cb');
INSERT INTO firedoor_slots.slots VALUES (234, '\x348fa85609a1937852f613f3aed3bcf1eef8fececc62ddead2f67dee9e753f64a7ff6826fa8f97810951cd6825dbdc7cd25489293e976c2ce04c45b6');
INSERT INTO firedoor_slots.slots VALUES (235, '\xe5451f7ea4e27e3d6531edc6689df63b517e0fb1e86d92d8d0bf2b96f6de62983dafdf77f4505cd43de306cb986510822197aff8f4c7094ef49071bc');
INSERT INTO firedoor_slots.slots VALUES (236, '\x7fa56967e6cd50534313bc88ae43b5b663e3e38e98dea2a67eab7bdfd1a606d8171a90dc3a142bc983f40242f825b182f8664f44e89e0186274158eb');
INSERT INTO firedoor_slots.slots VALUES (237, '\x9bf80bdc505345e26465dd880af87eccb4a5e9bab54c644df115d6ecfc5c16cc8d610c2afb62dd7be5e8b2ca00ab413b031dde3efa15c9da32c4107a');
INSERT INTO firedoor_slots.slots VALUES (238, '\xcaa630da29b8b392491e334ca26e2b59b8b424a727724aecc338593c0ad5d0baba993eaa5a36427ff69a4ea6d5a6c19d86e896f477c9f9f09ce5f97a');
INSERT INTO firedoor_slots.slots VALUES (239, '\x376f87be73ed969d84cf87793613849195bf0de8e064b1df112f67bc0b25637c05fede8b22f34eadf950dda5e267d64af6bb2af654a40371d9a65d17');
INSERT INTO firedoor_slots.slots VALUES (240, '\xeddd6506c593c8dca940ad766b523946de1e6241e841308151492c1fcd7b1a5e9e3a0457730e839a800398c48e458afeb903ae4cff58dd57807b0535');
INSERT INTO firedoor_slots.slots VALUES (241, '\xa0dbd365e2efafcb2c9feffdeafdade4779a54e43d774595f0b8bd7ae61ef2f131e025bfe2e34a70a82e27c4cf8d94f9cfb8d15724dd045511a4c6d7');
INSERT INTO firedoor_slots.slots VALUES (242, '\xb0eca08ddaaddf1c03859fbd75a50236240350293ccff349b20869410cc397d4adf68745461d189e4dd59c07b64bfa967cdb67b1bb7d7ff4f1d1e6ea');
INSERT INTO firedoor_slots.slots VALUES (243, '\x3b00be754bfac45f402e960fd6070abb3fe4abcba8f6ed1374acca9532b36493a54b543e3d11ade9ad288a8b6c3857cc142b2caa1f1bb8324de370f2');
INSERT INTO firedoor_slots.slots VALUES (244, '\x9a302b976fb7743ceb1fe53f466b6e801817154eb073ca2b8ec9c5bbb7c37a3e0085383c3cb08ce34207766fa3512b87b3d2880dc0d5ee5cf6eb61a4');
INSERT INTO firedoor_slots.slots VALUES (245, '\xd2c3b9e811f9627e3fe568c9cc7ca5f765811a9b55ad948fc4a3401346046928ddda1fd18b7edbabb5aa3e55452f705f84d98250fcc7f7dbfa5af947');
INSERT INTO firedoor_slots.slots VALUES (246, '\x75e316e46a05c79e53496e419a1c5a517cfc44789fdd39549bf6e75350e7ab2d1a7726b7d9cbaf3460d0ef0a4864d113cac616d5216b452ce0c03871');
INSERT INTO firedoor_slots.slots VALUES (247, '\x7469bcd610d5936e0326eb33f0af362222ae8d7421a367353e13e29e0cbc8d9aa6f646aa13918a4af0f19cdd0446672278be4af5dae1fc13c0ec35ac');
INSERT INTO firedoor_slots.slots VALUES (248, '\x442fabc52f6c8cf9c52fef64696b054b26bd5c93a819d691b29b0584029e78d67821cde9156ca5522a064adf0563c5b2ae0a43390f18180710dd3b39');
INSERT INTO firedoor_slots.slots VALUES (249, '\xe48aea4ce5bb0fbf193dfb30b522916533f386c65f8687ff5e549af15cf68e9d265db5b427bfa102025beaa3e77fb8dbf1628752a0b254a3f3214e97');
INSERT INTO firedoor_slots.slots VALUES (250, '\x0be0e9e2b38390fd0546741806e17b590666969d2fce7954663d3ef24d0b30421dca4cb8dd129f3db52fb502ba11573e31a1c58dbebafad572dca9da');
INSERT INTO firedoor_slots.slots VALUES (251, '\xcbd623ad8ce4a8174a13a1bede0da9825d46fcbc1fe481189b1425b4e4011633033703f3d92890a0a3bbea9356f74d337be4fbbee94fe6f6a8ca7a4b');
INSERT INTO firedoor_slots.slots VALUES (252, '\x59e985fda3b0c2ea46513fd13af9759addaebaf8aa8b140d88a5cfadf21b8a52676b6f222c37faeb1aa8eec8da1134a7a3259b021c7da0a534d9b9c2');
INSERT INTO firedoor_slots.slots VALUES (253, '\x891959229f8bb4c3dd08f3fa26b64ced2a026253da6cf826efdeadc4094e114913c829024c40a5302c636813029bc04e8a1f1fa95f09fbec5c99050d');
INSERT INTO firedoor_slots.slots VALUES (254, '\x3c4ead07fb1ac1ca6386561101d92450c7ed24530af4a519edb4965f25c3d6dffc8d4e98f32c1e9344d11ee961c0c63c6372c60f044b26e586a29333');
INSERT INTO firedoor_slots.slots VALUES (255, '\x938499848f3379697ab542f778d43cac4af4df30eea2ba7c4c96b9046234f13a2882efd5d5e78d0800779e03ad2309238aad293728f4ca52f90492d6');
INSERT INTO firedoor_slots.slots VALUES (256, '\x0a031b03ccb4215a0fe816193e8620bc9bd36df5c9388e7445de6ed814ffa69a320c4262a9e99fd925b2a2b9636ef5f7c7a3d1bd9256f18c7abb81e2');

INSERT INTO firedoor_slots.twin VALUES (1, '\xe5b494a555eac7cc48b604df20645ea3', '\xc5163d5826cdc3387ac3170530b9558ec073e7913057d2db9a42c01ff9db704a', 257);

ALTER TABLE ONLY firedoor_slots.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY firedoor_slots.slots
    ADD CONSTRAINT slots_pkey PRIMARY KEY (slot);

ALTER TABLE ONLY firedoor_slots.twin
    ADD CONSTRAINT twin_pkey PRIMARY KEY (one);

